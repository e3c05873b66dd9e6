import { HoldfastError } from "../std/mod.ts";

/** A command of Zarf that is not served here, or is given what it does not take. */
export class ZarfUseError extends HoldfastError<"ZarfCommandRefused"> {
  constructor(message: string) {
    super({ reason: "ZarfCommandRefused", message, remedy: REMEDY });
  }
}

const REMEDY = "actions have of zarf: tools kubectl, tools helm, tools wait-for, " +
  "tools get-creds KEY, version, and of internal what sets up Gitea";
