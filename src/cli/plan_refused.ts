import { HoldfastError } from "../std/mod.ts";

/** The package would not be deployed as it is, with these settings, on this cluster. */
export class PlanRefused extends HoldfastError<"PlanRefused"> {}
