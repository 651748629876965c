// Lets readers choose the release whose page they read, if the pages of several stand side by side.
document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("versions");
  if (!place || VERSIONS.length < 2) return;
  const here = location.href.replace(/[?#].*/, "");
  const root = new URL(document.documentElement.dataset.content_root, here).href;
  const page = here.slice(root.length);
  const select = place.querySelector("select");
  for (const [version, pages] of VERSIONS) {
    const target = pages.includes(page) ? page : "docs/index.html";
    const address = new URL(`../${version}/${target}`, root).href;
    select.add(new Option(version, address, false, root.endsWith(`/${version}/`)));
  }
  select.addEventListener("change", () => location.assign(select.value));
  place.hidden = false;
});
