/**
 * The post-renderer from source, for tests that run without the compiled program: what its hidden
 * command `post-render` does.
 *
 * @module
 */
import { runPostRenderer } from "../../../src/deploy/mod.ts";

const input = await new Response(Deno.stdin.readable).text();
const output = new TextEncoder().encode(runPostRenderer(input, Deno.env.toObject()));
for (let at = 0; at < output.length;) at += Deno.stdout.writeSync(output.subarray(at));
