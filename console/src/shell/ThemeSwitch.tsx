import { useState } from "react";

type Theme = "system" | "light" | "dark";
const themes: readonly Theme[] = ["system", "light", "dark"];

/** Goes through system, light and dark; kept in this browser. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(
    () => themes.find((one) => one === localStorage.getItem("sidestep.theme")) ?? "system",
  );
  const choose = (next: Theme): void => {
    setTheme(next);
    if (next === "system") {
      localStorage.removeItem("sidestep.theme");
      delete document.documentElement.dataset["theme"];
    } else {
      localStorage.setItem("sidestep.theme", next);
      document.documentElement.dataset["theme"] = next;
    }
  };
  const following = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "system";
  return (
    <button
      type="button"
      className="bare small"
      onClick={() => choose(following)}
      aria-label={`Theme: ${theme}. Change to ${following}`}
    >
      <svg
        width="16"
        height="16"
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        aria-hidden="true"
      >
        <circle cx="8" cy="8" r="6" />
        <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
      </svg>
      {theme}
    </button>
  );
}
