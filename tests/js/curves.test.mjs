import assert from "node:assert/strict";
import { test } from "node:test";

import { axisTop, curveRuns, summary } from "../../js/lib/curves.js";

const AREA = { left: 10, top: 20, width: 100, height: 50 };

test("a curve runs from edge to edge, zero at the bottom", () => {
  assert.deepEqual(curveRuns([0, 5, 10], AREA, 10), [[[10, 70], [60, 45], [110, 20]]]);
});

test("a missing value cuts the curve", () => {
  const runs = curveRuns([1, null, 1, NaN, 1, 1], AREA, 1);
  assert.deepEqual(runs.map((run) => run.length), [1, 1, 2]);
});

test("a single frame is one point at the left", () => assert.deepEqual(curveRuns([10], AREA, 10), [[[10, 20]]]));

test("no frames, no runs", () => assert.deepEqual(curveRuns([], AREA, 10), []));

test("values outside the axis stay inside the area", () => {
  assert.deepEqual(curveRuns([-1, 99], AREA, 10), [[[10, 70], [110, 20]]]);
});

for (const [curves, top] of [
  [[[0.9], [0.2]], 1],
  [[[1.01], []], 2],
  [[[13, 8], [24.5]], 50],
  [[[50], [3]], 50],
  [[[0.03], []], 0.05],
  [[[0], [0]], 1],
  [[[], [NaN]], 1],
])
  test(`the axis of ${JSON.stringify(curves)} ends at ${top}`, () => assert.ok(Math.abs(axisTop(curves) - top) < 1e-12));

test("a summary leaves missing values out", () => {
  assert.deepEqual(summary([1, null, 3]), { low: 1, mean: 2, high: 3 });
  assert.equal(summary([null, NaN]), null);
});
