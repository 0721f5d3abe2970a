// Before the first picture, so that it does not flash in the other theme. Without a choice the system's holds.
const chosen = localStorage.getItem("sidestep.theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
