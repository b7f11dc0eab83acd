// Light or dark: what the system prefers, until a person chooses.
const STORED = "deixis-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

class Theme {
  chosen = $state<string | null>(localStorage.getItem(STORED));
  prefersDark = $state(system.matches);
  isDark = $derived(this.chosen ? this.chosen === "dark" : this.prefersDark);
}

export const theme = new Theme();

system.addEventListener("change", (event) => {
  theme.prefersDark = event.matches;
});
apply();

export function setTheme(name: "light" | "dark"): void {
  localStorage.setItem(STORED, name);
  theme.chosen = name;
  apply();
}

function apply(): void {
  if (theme.chosen) document.documentElement.dataset.theme = theme.chosen;
}
