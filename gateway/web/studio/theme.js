// Light, dark, or as the system has it. Loaded first, so that the page is never shown in the wrong one.

const KEY = "triptych.theme";
const NAMES = { auto: "Auto", light: "Light", dark: "Dark" };
const ORDER = Object.keys(NAMES);

function stored() {
  try {
    return ORDER.includes(localStorage[KEY]) ? localStorage[KEY] : "auto";
  } catch {
    return "auto"; // storage is forbidden here
  }
}

function apply(theme) {
  document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
}

let theme = stored();
apply(theme);

/** Has the button go from one theme to the next, and say which it is. */
export function initTheme(button) {
  const show = () => {
    button.querySelector("span").textContent = NAMES[theme];
    button.setAttribute("aria-label", `Colours: ${NAMES[theme]}`);
  };
  button.addEventListener("click", () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    apply(theme);
    show();
    try {
      localStorage[KEY] = theme;
    } catch {
      // it lasts until the page is closed
    }
  });
  show();
}
