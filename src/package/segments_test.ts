import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { lookOf } from "./file_source.ts";
import { bytesSegment, fileSegment, type Segment, SegmentSource } from "./segments.ts";

const text = (from: number, length: number) =>
  Uint8Array.from({ length }, (_, at) => (from + at) % 251);

/** Memory, an empty one, a file, an empty file, memory: 1000 bytes that count up. */
function segments(dir: string): Segment[] {
  const file = (name: string, bytes: Uint8Array) => {
    Deno.writeFileSync(`${dir}/${name}`, bytes);
    return fileSegment(name, `${dir}/${name}`, lookOf(Deno.statSync(`${dir}/${name}`)));
  };
  return [
    bytesSegment(text(0, 300)),
    bytesSegment(new Uint8Array()),
    file("full", text(300, 500)),
    file("empty", new Uint8Array()),
    bytesSegment(text(800, 200)),
  ];
}

const whole = [...text(0, 1_000)];

function opened(action: (source: SegmentSource, dir: string) => void): Promise<void> {
  return withDirectory((dir) => {
    using source = new SegmentSource(1_000, segments(dir));
    action(source, dir);
  });
}

function rest(source: SegmentSource, step: number): number[] {
  const found: number[] = [];
  const buffer = new Uint8Array(step);
  for (let count; (count = source.read(buffer)) > 0;) {
    assert(count === step || source.read(new Uint8Array(1)) === 0, "only the last read is short");
    found.push(...buffer.subarray(0, count));
  }
  return found;
}

for (const step of [1, 7, 299, 300, 301, 999, 1_000, 5_000]) {
  Deno.test(`segments are one source in reads of ${step} bytes`, () =>
    opened((source) => {
      assert.equal(source.size, 1_000);
      assert.deepEqual(rest(source, step), whole);
    }));
}

for (const first of [0, 100, 300, 450, 800]) {
  for (const skipped of [0, 1, 200, 500, 700, 1_000, 3_000]) {
    Deno.test(`after ${first} bytes ${skipped} can be skipped`, () =>
      opened((source) => {
        source.read(new Uint8Array(first));
        source.skip(skipped);
        assert.deepEqual(rest(source, 64), whole.slice(first + skipped));
      }));
  }
}

Deno.test("a file is opened when its turn comes, and not at all when it is skipped whole", () =>
  opened((source, dir) => {
    Deno.removeSync(`${dir}/full`);
    assert.equal(source.read(new Uint8Array(300)), 300);
    source.skip(500);
    assert.deepEqual(rest(source, 64), whole.slice(800));
  }));

Deno.test("a file that is gone when its turn comes is the file system's error", () =>
  opened((source, dir) => {
    Deno.removeSync(`${dir}/full`);
    assert.throws(() => source.read(new Uint8Array(400)), Deno.errors.NotFound);
  }));

Deno.test("a segment that fails is closed with the source", () => {
  let closed = 0;
  const failing: Segment = {
    size: 10,
    open: () => ({
      size: 10,
      read: () => {
        throw new Error("Input/output error (os error 5)");
      },
      skip() {},
      [Symbol.dispose]: () => void closed++,
    }),
  };
  {
    using source = new SegmentSource(20, [bytesSegment(text(0, 10)), failing]);
    assert.equal(source.read(new Uint8Array(10)), 10);
    assert.throws(() => source.read(new Uint8Array(10)), /os error 5/);
    assert.equal(closed, 0);
  }
  assert.equal(closed, 1);
});
