/** Curves over the frames of a clip as points on a plane; nothing of the page. */

/**
 * Lay values out from left to right, low at the bottom, cut into runs where a value is missing.
 *
 * area = {left, top, width, height} and top = the value at its upper edge (0 is the lower edge).
 */
export function curveRuns(values, area, top) {
  const step = values.length > 1 ? area.width / (values.length - 1) : 0;
  const runs = [];
  let run = null;
  values.forEach((value, frame) => {
    if (!Number.isFinite(value)) {
      run = null;
      return;
    }
    if (!run) runs.push((run = []));
    const part = top > 0 ? Math.min(Math.max(value / top, 0), 1) : 0;
    run.push([area.left + frame * step, area.top + area.height * (1 - part)]);
  });
  return runs;
}

/** A round number at or above every value, for the axis: 1, 2 or 5 times a power of ten. */
export function axisTop(curves) {
  const highest = Math.max(0, ...curves.flat().filter(Number.isFinite));
  if (highest === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= highest * (1 - 1e-9));
}

/** Lowest, mean and highest of the finite values; null when there is none. */
export function summary(values) {
  const known = values.filter(Number.isFinite);
  if (!known.length) return null;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return { low: Math.min(...known), mean, high: Math.max(...known) };
}
