import assert from "node:assert/strict";
import { Complaints } from "./complaints.ts";

function listened() {
  const said: string[] = [];
  const complaints = new Complaints((text, about) =>
    said.push(about === "" ? text : `${about}: ${text}`)
  );
  return { said, complaints };
}

Deno.test("the same is said once, until it is something else or was right meanwhile", () => {
  const { said, complaints } = listened();
  for (const text of ["full", "full", "broken", "full"]) complaints.say(text);
  assert.deepEqual(said.splice(0), ["full", "broken", "full"]);
  complaints.settle();
  complaints.say("full");
  assert.deepEqual(said, ["full"]);
});

Deno.test("each thing has complaints of its own", () => {
  const { said, complaints } = listened();
  for (const about of ["a", "b", "a", "b"]) complaints.say("full", about);
  complaints.settle("a");
  for (const about of ["a", "b"]) complaints.say("full", about);
  assert.deepEqual(said, ["a: full", "b: full", "a: full"]);
});

Deno.test("something is wrong from a complaint until it is settled", () => {
  const { complaints } = listened();
  assert.equal(complaints.any, false);
  complaints.say("full", "a");
  complaints.say("full", "b");
  complaints.settle("a");
  assert.equal(complaints.any, true);
  complaints.settle("b");
  assert.equal(complaints.any, false);
});

Deno.test("what comes again after it was gone is complained about again", () => {
  const { said, complaints } = listened();
  for (const about of ["a", "b"]) complaints.say("full", about);
  complaints.keepOnly((about) => about === "b");
  for (const about of ["a", "b"]) complaints.say("full", about);
  assert.deepEqual(said, ["a: full", "b: full", "a: full"]);
});
