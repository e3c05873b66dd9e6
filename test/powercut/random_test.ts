import assert from "node:assert/strict";
import { Random } from "./random.ts";

const numbers = (...seed: number[]) => {
  const random = new Random(...seed);
  return Array.from({ length: 1_000 }, () => random.next());
};

Deno.test("equal seeds give equal numbers, others give others", () => {
  assert.deepEqual(numbers(1, 2), numbers(1, 2));
  for (const other of [[2, 1], [1, 3], [1], []]) {
    assert.notEqual(numbers(...other)[0], numbers(1, 2)[0], other.join(","));
  }
});

Deno.test("numbers of neighbouring seeds are spread over the whole range", () => {
  const firsts = Array.from({ length: 1_000 }, (_, at) => new Random(7, at).next());
  for (const all of [numbers(7), firsts]) {
    for (let tenth = 0; tenth < 10; tenth++) {
      const inside = all.filter((number) => Math.floor(number * 10) === tenth).length;
      assert.ok(inside > 60 && inside < 140, `${inside} of 1000 in tenth ${tenth}`);
    }
  }
});

Deno.test("both ends of a range come up, and nothing outside of it", () => {
  const random = new Random(3);
  const drawn = new Set(Array.from({ length: 500 }, () => random.between(2, 5)));
  assert.deepEqual([...drawn].sort(), [2, 3, 4, 5]);
  for (let round = 0; round < 500; round++) {
    const size = random.magnitude(10, 1_000);
    assert.ok(size >= 10 && size <= 1_000, `${size}`);
  }
});

Deno.test("weights say how often a value comes", () => {
  const random = new Random(4);
  const drawn = Array.from(
    { length: 1_000 },
    () => random.weighted([["never", 0], ["often", 9], ["rarely", 1]]),
  );
  const count = (value: string) => drawn.filter((each) => each === value).length;
  assert.equal(count("never"), 0);
  assert.ok(count("rarely") > 50 && count("rarely") < 150, `${count("rarely")}`);
  assert.throws(() => random.weighted([]));
});

Deno.test("some values are as many as asked for, each once and in order", () => {
  const random = new Random(5);
  const values = [1, 2, 3, 4, 5, 6];
  for (const count of [0, 1, 3, 6, 9]) {
    const some = random.some(values, count);
    assert.equal(some.length, Math.min(count, values.length));
    assert.deepEqual(some, [...new Set(some)].sort());
  }
});
