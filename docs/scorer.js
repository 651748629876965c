// How the site's search ranks what it finds: pages that say how to do something come first, and attributes that are made
// from the docstrings come last. The other numbers are Sphinx's own.
var Scorer = {
  score: ([docname, , , , score]) => {
    if (docname.startsWith("docs/how-to/") || docname.startsWith("docs/tutorial")) return score + 30;
    if (docname.startsWith("docs/reference/api/")) return score - 30;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
