// Runs before the first paint, so that a chosen theme never flashes the other one.
"use strict";

{
  const KEY = "tandem-theme";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const system = () => (dark.matches ? "dark" : "light");
  const shown = () => root.dataset.theme ?? system();

  // A browser that forbids storage has the theme for as long as the page is open.
  const remember = (action) => {
    try {
      return action(localStorage);
    } catch {
      return null;
    }
  };

  const stored = remember((storage) => storage.getItem(KEY));
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => button.setAttribute("aria-label", `Switch to ${shown() === "dark" ? "light" : "dark"} colours`);
    button.addEventListener("click", () => {
      const chosen = shown() === "dark" ? "light" : "dark";
      if (chosen === system()) {
        delete root.dataset.theme;
        remember((storage) => storage.removeItem(KEY));
      } else {
        root.dataset.theme = chosen;
        remember((storage) => storage.setItem(KEY, chosen));
      }
      label();
    });
    dark.addEventListener("change", label);
    label();
  });
}
