import manifest from "../package.json";

/** The version of this program. */
export const version: string = manifest.version;
