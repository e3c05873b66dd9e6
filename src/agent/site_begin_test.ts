import assert from "node:assert/strict";
import { peerAddressOf } from "./site_begin.ts";

Deno.test("other machines are listened for in the family of the site's addresses", () => {
  const rows: [list: string[], given: string | undefined, expected: [string, number]][] = [
    [["10.0.0.1", "10.0.0.2"], undefined, ["0.0.0.0", 7473]],
    [["fd00::1", "10.0.0.2"], undefined, ["::", 7473]],
    [["10.0.0.1", "10.0.0.2"], "10.0.0.1:17473", ["10.0.0.1", 17473]],
  ];
  for (const [list, given, expected] of rows) {
    const settings = {
      "bootstrap-control-planes": list,
      ...(given === undefined ? {} : { "peer-address": given }),
    };
    const [hostname, port] = expected;
    assert.deepEqual(peerAddressOf(settings), { hostname, port });
  }
});
