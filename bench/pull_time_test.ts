import assert from "node:assert/strict";
import { pulledIn } from "./pull_time.ts";

function events(...items: (readonly [reason: string, message: string])[]): string {
  return JSON.stringify({ items: items.map(([reason, message]) => ({ reason, message })) });
}

const pulled = (took: string) =>
  ["Pulled", `Successfully pulled image "a/b:1" in ${took} (${took} including waiting).`] as const;

for (
  const [what, given, seconds] of [
    ["nothing", events(), 0],
    ["one pull", events(pulled("3.42s")), 3.42],
    ["milliseconds", events(pulled("870ms")), 0.87],
    ["minutes and seconds", events(pulled("1m2.5s")), 62.5],
    ["two pulls", events(pulled("1.5s"), ["Created", "in 9s ("], pulled("500ms")), 2],
    [
      "an image that was there",
      events(["Pulled", 'Container image "a/b:1" already present on machine']),
      0,
    ],
    ["another reason", events(["Pulling", 'Successfully pulled image "a" in 1s (1s …)']), 0],
  ] as const
) {
  Deno.test(`the kubelet's events of ${what} are ${seconds} s`, () => {
    assert.ok(Math.abs(pulledIn(given) - seconds) < 1e-9, String(pulledIn(given)));
  });
}

Deno.test("an event without a message is no pull", () => {
  assert.equal(pulledIn('{"items":[{}]}'), 0);
});
