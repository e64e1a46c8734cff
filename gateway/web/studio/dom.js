// The few things that every module does with the document.

export const find = (id) => document.getElementById(id);

/** An element with properties, or attributes, and children, of which strings are text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** One of the symbols of icons.svg. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `web/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(button, name) {
  button.querySelector("use").setAttribute("href", `web/icons.svg#${name}`);
}

export const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

export function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}
