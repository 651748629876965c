// The releases whose pages stand side by side, and the pages of each. `docs/publish.py` writes this list.
var VERSIONS = [];
