import { writePackage } from "../test/fixtures/make_package.ts";
import type { Preparation } from "./types.ts";

const LAYERS = 4;
const DEFAULT_BYTES = 1_000_000_000;
const QUICK_BYTES = 40_000_000;

/** A package that was made to be measured with. */
export interface BenchPackage {
  readonly file: string;
  /** Bytes of its layers; the other files in it have a few KB. */
  readonly bytes: number;
  /** `1 GB package` */
  readonly label: string;
}

/** How many bytes the layers of the package have that a benchmark reads. */
export function packageBytes({ quick, size }: Pick<Preparation, "quick" | "size">): number {
  return size ?? (quick ? QUICK_BYTES : DEFAULT_BYTES);
}

/**
 * Makes a package of one image in a directory. Layers are compressed in real images, so those here
 * cannot be compressed either.
 *
 * @param fresh bytes of each MiB that cannot be compressed, for a file that is small beside what is
 * in it. @default all
 */
export async function makeBenchPackage(
  directory: string,
  bytes: number,
  fresh?: number,
): Promise<BenchPackage> {
  const file = `${directory}/zarf-package-bench-${ARCHITECTURE}-1.0.0.tar.zst`;
  const layers = Array.from({ length: LAYERS }, (_, at) => ({
    size: Math.floor(bytes / LAYERS),
    seed: at + 1,
    ...(fresh === undefined ? {} : { fresh }),
  }));
  await writePackage(file, {
    name: "bench",
    architecture: ARCHITECTURE,
    images: [{ reference: "docker.io/library/bench:1.0.0", layers }],
  });
  return { file, bytes, label: `${sizeText(bytes)} package` };
}

const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** `1 GB`, `40 MB`, `1.5 GB` */
export function sizeText(bytes: number): string {
  const [unit, name] = bytes < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  return `${Number((bytes / unit).toPrecision(3))} ${name}`;
}
