/** For the log and the answers of the API. */
export const noSourceText = "no source is enabled";

/** For people at the machine: says what to type. */
export const noSourceAdvice =
  "no source is enabled, so every scan fails; import a breach file (xpose corpus import FILE --name NAME), " +
  "or add a source to the configuration (docs/sources.md)";
