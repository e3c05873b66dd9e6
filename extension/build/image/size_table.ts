import type { ExtensionImage } from "./image.ts";

/** Bytes in a megabyte, as disks count. */
const MEGABYTE = 1_000_000;

/** What takes how much of an image, the largest part first, in lines for people. */
export function sizeTable({ parts, layer }: Pick<ExtensionImage, "parts" | "layer">): string {
  const sum = parts.reduce((total, { bytes }) => total + bytes, 0);
  const rows: (readonly [string, number])[] = [
    ...parts.map(({ name, bytes }) => [name, bytes] as const).sort((a, b) => b[1] - a[1]),
    ["unpacked", sum],
    ["the layer, compressed", layer.size],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, bytes]) =>
      `${name.padEnd(width)}  ${(bytes / MEGABYTE).toFixed(1).padStart(6)} MB`
    )
    .join("\n");
}
