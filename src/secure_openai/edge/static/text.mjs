// What scripts say, in the page's language: the server sends the texts that they name.
const texts = {};
for (const block of document.querySelectorAll("script.texts")) Object.assign(texts, JSON.parse(block.textContent));

export const language = document.documentElement.lang;

export function t(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function known(key) {
  return key in texts;
}
