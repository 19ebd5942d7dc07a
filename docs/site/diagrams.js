// Draws the diagrams of a page from their source, which stays to be read where Mermaid is missing.
if (window.mermaid) {
  document.querySelectorAll("pre > code.language-mermaid").forEach((source) => {
    const drawing = document.createElement("div");
    drawing.className = "mermaid";
    drawing.textContent = source.textContent;
    source.parentElement.replaceWith(drawing);
  });
  window.mermaid.initialize({ startOnLoad: false });
  window.mermaid.run({ querySelector: "div.mermaid" });
}
