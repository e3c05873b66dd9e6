/** Lives one of the lives of the kill tests, which its arguments name: data directory, life. */
import { live } from "./testing_kill.ts";
import { type LifeName, LIVES } from "./testing_lives.ts";

const [dir = "", name = ""] = Deno.args;
await live(dir, LIVES[name as LifeName].life);
