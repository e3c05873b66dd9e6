import assert from "node:assert/strict";
import { renderMetrics } from "./metrics.ts";

Deno.test("metrics are written in the text exposition format", () => {
  const text = renderMetrics([
    {
      name: "holdfast_registry_requests_total",
      help: "Requests answered by the node registry.",
      type: "counter",
      samples: [
        { labels: { route: "blobs", code: "200" }, value: 3 },
        { labels: { route: "blobs", code: "404" }, value: 1 },
      ],
    },
    { name: "holdfast_up", help: "One.", type: "gauge", samples: [{ value: 1 }] },
  ]);
  assert.equal(
    text,
    "# HELP holdfast_registry_requests_total Requests answered by the node registry.\n" +
      "# TYPE holdfast_registry_requests_total counter\n" +
      'holdfast_registry_requests_total{route="blobs",code="200"} 3\n' +
      'holdfast_registry_requests_total{route="blobs",code="404"} 1\n' +
      "# HELP holdfast_up One.\n# TYPE holdfast_up gauge\nholdfast_up 1\n",
  );
});

Deno.test("quotes, backslashes and line ends in label values are escaped", () => {
  const text = renderMetrics([{
    name: "holdfast_x",
    help: "a\nb",
    type: "gauge",
    samples: [{ labels: { file: 'C:\\a "b"\nc' }, value: 0 }],
  }]);
  assert(text.includes('holdfast_x{file="C:\\\\a \\"b\\"\\nc"} 0\n'), text);
  assert(text.includes("# HELP holdfast_x a\\nb\n"), text);
});

Deno.test("a metric without samples still has its help and type", () => {
  const text = renderMetrics([{ name: "holdfast_y", help: "h", type: "counter", samples: [] }]);
  assert.equal(text, "# HELP holdfast_y h\n# TYPE holdfast_y counter\n");
});
