// The difference of two pictures, to look at: white where they agree, the darker the more they differ, light blue where
// only the first shows something; as lookalike/pictures/difference.py draws it on sheets. Drawn one after another, when
// they come into view and the browser has nothing else to do.

import { align, inWords, pixelsOf, UPRIGHT, WHOLE } from "./alignment.js";

const GAIN = 4;
const OUTSIDE = "rgb(214 226 240)";
const pause = () => new Promise((resolve) => (globalThis.requestIdleCallback ?? setTimeout)(resolve));
const wanted = new WeakMap();
let drawing = Promise.resolve();

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    drawing = drawing.then(() => show(target, wanted.get(target)));
  }
});

/** Draws the difference of two images on a canvas once it is seen, and calls back with what it shows in words. */
export function whenSeen(canvas, first, second, say) {
  wanted.set(canvas, { first, second, say });
  seen.observe(canvas);
}

async function show(canvas, { first, second, say }) {
  if (!canvas.isConnected) return;
  try {
    first.loading = "eager";
    second.loading = "eager";
    await Promise.all([first.decode(), second.decode()]);
    await pause();
    say(draw(canvas, first, second));
  } catch {
    say("no difference to show");
  }
}

function draw(canvas, first, second) {
  const found = align(first, second);
  const [onFirst, onSecond] = found.whole === "first" ? [found.box, WHOLE] : [WHOLE, found.box];
  const [wide, high] = [first.naturalWidth, first.naturalHeight];
  const [left, top] = [Math.min(Math.floor(onFirst[0] * wide), wide - 1), Math.min(Math.floor(onFirst[1] * high), high - 1)];
  const right = Math.max(Math.round(onFirst[2] * wide), left + 1);
  const bottom = Math.max(Math.round(onFirst[3] * high), top + 1);
  const size = [right - left, bottom - top];
  const one = pixelsOf(first, UPRIGHT, ...size, [left / wide, top / high, right / wide, bottom / high]);
  const other = pixelsOf(second, found.orientation, ...size, onSecond);
  const result = new ImageData(...size);
  let sum = 0;
  for (let at = 0; at < one.length; at += 4) {
    const apart = [0, 1, 2].map((band) => Math.abs(one[at + band] - other[at + band]));
    sum += apart[0] + apart[1] + apart[2];
    result.data.fill(255 - GAIN * Math.max(...apart), at, at + 3);
    result.data[at + 3] = 255;
  }
  [canvas.width, canvas.height] = [wide, high];
  const pen = canvas.getContext("2d");
  pen.fillStyle = OUTSIDE;
  pen.fillRect(0, 0, wide, high);
  pen.putImageData(result, left, top);
  const mean = (100 * sum) / (size[0] * size[1] * 3 * 255);
  return [inWords(found), `${mean.toFixed(1)} % apart`].filter(Boolean).join(", ");
}
