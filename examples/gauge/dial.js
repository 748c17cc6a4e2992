// @ts-check

/** The scale, in degrees Celsius. A value beyond it is written as it is, and the needle rests at the end. */
const lowest = -20;
const highest = 50;
const majorStep = 10;
const minorStep = 2;

/** The hand's way from the lowest to the highest value, in degrees of a circle; 0 is straight up. */
const sweep = 240;
const centre = { x: 160, y: 160 };
const radius = 116;

/** Temperatures at which colours begin, in degrees Celsius. */
const bands = [
  { from: lowest, colour: 'var(--cold)' },
  { from: 5, colour: 'var(--mild)' },
  { from: 25, colour: 'var(--warm)' },
  { from: 35, colour: 'var(--hot)' },
];

/** The hand's angle for a value, in degrees, from -120 to 120. @param {number} value */
function angleOf(value) {
  const within = Math.min(Math.max(value, lowest), highest);
  return ((within - lowest) / (highest - lowest)) * sweep - sweep / 2;
}

/** The point at an angle and a distance from the centre. @param {number} angle @param {number} distance */
function point(angle, distance) {
  const radians = (angle * Math.PI) / 180;
  return { x: centre.x + distance * Math.sin(radians), y: centre.y - distance * Math.cos(radians) };
}

/** Adds an element of SVG. @param {Element} parent @param {string} name @param {Record<string, string | number>} attributes */
function add(parent, name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  parent.append(element);
  return element;
}

/** @param {Element} svg */
function drawBands(svg) {
  for (const [index, { from, colour }] of bands.entries()) {
    const start = point(angleOf(from), radius);
    const end = point(angleOf(bands[index + 1]?.from ?? highest), radius);
    const path = add(svg, 'path', {
      class: 'band',
      d: `M${start.x} ${start.y}A${radius} ${radius} 0 0 1 ${end.x} ${end.y}`,
    });
    path.style.stroke = colour;
  }
}

/** @param {Element} svg */
function drawScale(svg) {
  for (let value = lowest; value <= highest; value += minorStep) {
    const major = value % majorStep === 0;
    const outer = point(angleOf(value), radius - 12);
    const inner = point(angleOf(value), radius - (major ? 22 : 17));
    add(svg, 'line', { class: major ? 'tick major' : 'tick', x1: outer.x, y1: outer.y, x2: inner.x, y2: inner.y });
    if (major)
      add(svg, 'text', { class: 'number', ...point(angleOf(value), radius + 25) }).textContent = `${value}`.replace(
        '-',
        '\u2212',
      );
  }
}

/**
 * Draws a gauge into `svg` and returns what moves its needle.
 * @param {SVGSVGElement} svg
 * @returns {{ show(value: number): void }}
 */
export function drawDial(svg) {
  drawBands(svg);
  drawScale(svg);
  const needle = add(svg, 'g', { class: 'needle idle' });
  add(needle, 'path', { d: 'M156 160L159 70Q160 66 161 70L164 160Z' });
  add(svg, 'circle', { class: 'hub', cx: centre.x, cy: centre.y, r: 10 });
  add(svg, 'circle', { class: 'pin', cx: centre.x, cy: centre.y, r: 3.5 });
  needle.style.transform = `rotate(${angleOf(lowest)}deg)`;
  return {
    show(value) {
      needle.classList.remove('idle');
      needle.style.transform = `rotate(${angleOf(value)}deg)`;
      svg.setAttribute('aria-label', `A gauge at ${value} on a scale from ${lowest} to ${highest} degrees Celsius`);
    },
  };
}
