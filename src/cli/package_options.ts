import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { SETTINGS } from "../agent/mod.ts";
import { OUTPUT_FORMATS, type OutputFormat } from "./output.ts";

/** The argument of every command here. */
export const PACKAGE = ["<PACKAGE>", "the package, as `zarf package create` made it"] as const;

/** Takes one more value of a repeatable option. */
export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...earlier ?? [], value];
}

/** The keys of which one must have signed the package. */
export function trustKey() {
  const { value, text } = SETTINGS["trust-key"];
  return new Option(`--trust-key <${value as "FILE"}>`, `${text} (repeatable)`)
    .argParser(collect);
}

/** How a value is printed. */
export function output(standard: OutputFormat) {
  return new Option("-o, --output <FORMAT>", "how it is printed")
    .choices(OUTPUT_FORMATS)
    .default(standard);
}

/** How YAML documents are printed. */
export function documents() {
  return new Option("-o, --output <FORMAT>", "how it is printed")
    .choices(["yaml", "json"] as const)
    .default("yaml" as const);
}

/** Where files are written to. @param made the directory that is made there */
export function outputDir(made: string) {
  return new Option("--output-dir <DIR>", `where the directory ${made} is made`).default(".");
}

/** The components that are looked at. */
export function components() {
  return new Option("--components <LIST>", "names, with commas between (default: all)")
    .argParser(splitList);
}

/** Values of variables. */
export function setVariables() {
  return new Option("--set-variables <NAME=VALUE>", "value of a variable (repeatable)")
    .argParser(setVariable);
}

/** Files with package values. */
export function valuesFiles() {
  return new Option("--values <FILE>", "file with package values (repeatable)")
    .argParser(collect);
}

/** Single package values. */
export function setValues() {
  return new Option("--set-values <PATH=VALUE>", "one package value (repeatable)")
    .argParser(setVariable);
}

/** Where helm is. */
export function toolsDir() {
  const text = `${SETTINGS["tools-dir"].text}; helm renders charts and Go templates`;
  return new Option("--tools-dir <DIR>", text);
}

/** The parts of a list with commas. */
export function splitList(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

function setVariable(text: string, earlier: Record<string, string> | undefined) {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It is not NAME=VALUE.");
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) };
}
