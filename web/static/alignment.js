// How one picture lies on another that it is a copy of: turned, mirrored, and which part. The method, its numbers and
// its words are those of lookalike/pictures/alignment.py; the means of a part are taken from sums (Crow 1984).
// For the eyes: it is no verdict.

const SIDE = 32;
const GRID = SIDE + 1;
const CUT = 128;
const SCALES = [1, 0.86, 0.74, 0.64, 0.55, 0.47];
const STEPS = 5;
const REFINEMENTS = 6;
const WORTH = 0.8;

/** Left, top, right, bottom in fractions. */
export const WHOLE = [0, 0, 1, 1];
/** What brings the second picture upright: axes are swapped, then each is mirrored, from the result to the source. */
const ORIENTATIONS = [
  { swap: false, mirrorX: false, mirrorY: false, words: "" },
  { swap: false, mirrorX: true, mirrorY: false, words: "mirrored" },
  { swap: false, mirrorX: false, mirrorY: true, words: "upside down, mirrored" },
  { swap: true, mirrorX: true, mirrorY: false, words: "turned right" },
  { swap: false, mirrorX: true, mirrorY: true, words: "upside down" },
  { swap: true, mirrorX: false, mirrorY: true, words: "turned left" },
  { swap: true, mirrorX: false, mirrorY: false, words: "turned, mirrored" },
  { swap: true, mirrorX: true, mirrorY: true, words: "turned, mirrored" },
];
export const UPRIGHT = ORIENTATIONS[0];

/** The pixels (RGBA) of a part of a picture, turned and mirrored so, scaled to this size. */
export function pixelsOf(image, { swap, mirrorX, mirrorY }, width, height, [left, top, right, bottom] = WHOLE) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  const [across, down] = [width / (right - left), height / (bottom - top)];
  pen.setTransform(across, 0, 0, down, -left * across, -top * down);
  const [x, fromX, y, fromY] = [mirrorX ? -1 : 1, mirrorX ? 1 : 0, mirrorY ? -1 : 1, mirrorY ? 1 : 0];
  if (swap) pen.transform(0, x, y, 0, fromY, fromX);
  else pen.transform(x, 0, 0, y, fromX, fromY);
  pen.drawImage(image, 0, 0, 1, 1);
  return pen.getImageData(0, 0, width, height).data;
}

/** The nearest of all ways that are tried: the second picture, oriented, shows the `box` of the `whole` one. */
export function align(first, second) {
  const one = sumsOf(first, UPRIGHT);
  const others = ORIENTATIONS.map((orientation) => ({ orientation, sums: sumsOf(second, orientation) }));
  const cuts = new Map();
  const cutOfFirst = (box) => {
    const key = box.join();
    if (!cuts.has(key)) cuts.set(key, cut(one, box));
    return cuts.get(key);
  };
  const tried = ({ orientation, sums }, whole, box) => ({
    ...{ orientation, sums, whole, box },
    distance: whole === "first" ? apart(cutOfFirst(box), cut(sums, WHOLE)) : apart(cutOfFirst(WHOLE), cut(sums, box)),
  });
  const nearest = (found) => found.reduce((best, each) => (each.distance < best.distance ? each : best));
  const best = nearest(others.map((other) => tried(other, "first", WHOLE)));
  let part = nearest(others.flatMap((other) => [
    ...boxes(one, other.sums).map((box) => tried(other, "first", box)),
    ...boxes(other.sums, one).map((box) => tried(other, "second", box)),
  ]));
  if (part.distance >= WORTH * best.distance) return best;
  for (let step = 1; step <= REFINEMENTS; step += 1) {
    part = nearest([part, ...nearby(part.box, 0.16 / 2 ** step).map((box) => tried(part, part.whole, box))]);
  }
  return part;
}

/** What was done to the second picture, in a few words. */
export function inWords({ orientation, whole, box }) {
  const share = Math.round(100 * (box[2] - box[0]) * (box[3] - box[1]));
  const part = box === WHOLE ? "" : `${share} % of ${whole === "first" ? "it" : "this"}`;
  return [orientation.words, part].filter(Boolean).join(", ");
}

/** Sums of the grey values above and left of each pixel, of a small picture. */
function sumsOf(image, orientation) {
  const [across, down] = orientation.swap ? [image.naturalHeight, image.naturalWidth] : [image.naturalWidth, image.naturalHeight];
  const scale = Math.min(1, CUT / Math.max(across, down));
  const [width, height] = [Math.max(1, Math.round(across * scale)), Math.max(1, Math.round(down * scale))];
  const pixels = pixelsOf(image, orientation, width, height);
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0, at = 0; y < height; y += 1) {
    let row = 0;
    for (let x = 0; x < width; x += 1, at += 4) {
      row += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
    }
  }
  return { sums, width, height };
}

/** The mean grey values of a part, in SIDE rows of SIDE. */
function cut({ sums, width, height }, [left, top, right, bottom]) {
  const grid = new Float64Array(GRID * GRID);
  for (let row = 0, at = 0; row < GRID; row += 1) {
    const y = Math.min(1, top + ((bottom - top) * row) / SIDE) * height;
    const above = Math.min(height - 1, Math.floor(y));
    for (let column = 0; column < GRID; column += 1, at += 1) {
      const x = Math.min(1, left + ((right - left) * column) / SIDE) * width;
      const before = Math.min(width - 1, Math.floor(x));
      const corner = above * (width + 1) + before;
      const upper = sums[corner] + (sums[corner + 1] - sums[corner]) * (x - before);
      const under = corner + width + 1;
      const lower = sums[under] + (sums[under + 1] - sums[under]) * (x - before);
      grid[at] = upper + (lower - upper) * (y - above);
    }
  }
  const area = ((right - left) * width * (bottom - top) * height) / SIDE ** 2;
  const means = new Float32Array(SIDE * SIDE);
  for (let row = 0, at = 0; row < SIDE; row += 1) {
    for (let column = 0; column < SIDE; column += 1, at += 1) {
      const corner = row * GRID + column;
      means[at] = (grid[corner + GRID + 1] - grid[corner + GRID] - grid[corner + 1] + grid[corner]) / area;
    }
  }
  return means;
}

function apart(one, other) {
  let sum = 0;
  for (let at = 0; at < one.length; at += 1) sum += Math.abs(one[at] - other[at]);
  return sum / one.length / 255;
}

/** Parts of the whole that have the shape of the other picture, in several sizes and places. */
function boxes(whole, part) {
  const shape = ((part.width / part.height) * whole.height) / whole.width;
  return SCALES.flatMap((scale) => {
    const [width, height] = [Math.min(1, shape) * scale, Math.min(1, 1 / shape) * scale];
    return places(1 - width).flatMap((left) => places(1 - height).map((top) => [left, top, left + width, top + height]));
  });
}

function places(room) {
  return room > 1 / SIDE ? Array.from({ length: STEPS }, (_, step) => (room * step) / (STEPS - 1)) : [room / 2];
}

/** Parts a little larger or smaller, and a little elsewhere; one that would stick out is moved in. */
function nearby([left, top, right, bottom], step) {
  const steps = [-step, 0, step];
  return steps.flatMap((wider) => steps.flatMap((across) => steps.flatMap((down) => {
    const [width, height] = [(right - left) * (1 + wider), (bottom - top) * (1 + wider)];
    if (width > 1 || height > 1) return [];
    const begin = Math.min(Math.max(0, (left + right - width) / 2 + across * width), 1 - width);
    const upper = Math.min(Math.max(0, (top + bottom - height) / 2 + down * height), 1 - height);
    return [[begin, upper, begin + width, upper + height]];
  })));
}
