import { Argument, Command, type Option } from "commander";
import type { CompletionScript } from "../../wire/service.ts";
import type { GlobalOptions } from "../context.ts";
import { type Output, printResult } from "../output.ts";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = CompletionScript["shell"];

/** The words that can follow a command: subcommands, values of an argument, and options. */
type Place = {
  /** The commands typed so far, each with a blank before it: ` keys create`; empty for the program itself. */
  readonly path: string;
  readonly words: readonly Word[];
  readonly options: readonly Option[];
};
type Word = { readonly text: string; readonly description: string };

/** Prints a completion script for a shell. It is generated from the commands, so it is always up to date. */
export function completionCommand(output: Output): Command {
  return new Command("completion")
    .description("Prints a script that lets a shell complete commands and options.")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .addHelpText("after", "\nExample:\n  source <(xpose completion bash)")
    .action((shell: Shell, _options: object, command: Command) => {
      const script = scripts[shell](placesOf(rootOf(command)));
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      printResult<CompletionScript>(output, json, { shell, script }, script.trimEnd());
    });
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function placesOf(command: Command, path = "", inherited: readonly Option[] = []): Place[] {
  const options = [...command.options.filter(({ hidden }) => !hidden), ...inherited];
  const commands = command.commands.map((child) => ({ text: child.name(), description: firstSentence(child) }));
  const values = command.registeredArguments.flatMap(({ argChoices = [], description }) =>
    argChoices.map((text) => ({ text, description })),
  );
  const global = path === "" ? options.filter(({ long }) => long !== "--version") : inherited;
  return [
    { path, words: [...commands, ...values], options },
    ...command.commands.flatMap((child) => placesOf(child, `${path} ${child.name()}`, global)),
  ];
}

function firstSentence(command: Command): string {
  return plain(command.description().split(/\.\s|;/)[0] ?? "");
}

/** Removes characters that would need escaping inside single quotes or in the lists of zsh. */
function plain(text: string): string {
  return text.replaceAll(/['\\:[\]]/g, " ").replace(/\.$/, "");
}

const longOf = ({ long, short }: Option): string => long ?? short ?? "";
const flagsOf = ({ options }: Place): string[] => [...options.map(longOf), "--help"];
const takesValue = (option: Option): boolean => option.required || option.optional;

/** The values of every option with a fixed list, by command: `--format` has different values for two commands. */
function choicesOf(places: readonly Place[]): { readonly place: string; readonly values: readonly string[] }[] {
  return places.flatMap(({ path, options }) =>
    options.flatMap((option) =>
      option.argChoices ? [{ place: `${path} ${longOf(option)}`, values: option.argChoices }] : [],
    ),
  );
}

/** Options whose value is free text or a file, so that there is nothing to complete. */
function freeValueOptions(places: readonly Place[]): string {
  const free = places.flatMap(({ options }) => options.filter((option) => takesValue(option) && !option.argChoices));
  return [...new Set(free.map((option) => `*" ${longOf(option)}"`))].join("|");
}

/** All paths of commands, as patterns of a `case`. */
function paths(places: readonly Place[]): string {
  return places.flatMap(({ path }) => (path === "" ? [] : [`"${path}"`])).join("|");
}

const scripts: Record<Shell, (places: readonly Place[]) => string> = {
  bash: (places) => `# bash completion for xpose: source <(xpose completion bash)
_xpose() {
  local current=\${COMP_WORDS[COMP_CWORD]} at="" words="" index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$at \${COMP_WORDS[index]}" in
      ${paths(places)}) at="$at \${COMP_WORDS[index]}" ;;
    esac
  done
  case "$at \${COMP_WORDS[COMP_CWORD-1]}" in
${choicesOf(places)
  .map(({ place, values }) => `    "${place}") words="${values.join(" ")}" ;;`)
  .join("\n")}
    ${freeValueOptions(places)}) return ;;
    *)
      case "$at" in
${places.map((place) => `        "${place.path}") words="${[...place.words.map(({ text }) => text), ...flagsOf(place)].join(" ")}" ;;`).join("\n")}
      esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _xpose xpose
`,

  zsh: (places) => `#compdef xpose
# zsh completion for xpose: source <(xpose completion zsh), or as _xpose in a folder of $fpath
_xpose() {
  local at="" word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${paths(places)}) at="$at $word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${choicesOf(places)
  .map(({ place, values }) => `    "${place}") candidates=(${values.join(" ")}) ;;`)
  .join("\n")}
    ${freeValueOptions(places)}) _files; return ;;
    *)
      case "$at" in
${places.map((place) => `        "${place.path}") candidates=(${zshCandidates(place)}) ;;`).join("\n")}
      esac
      ;;
  esac
  _describe xpose candidates || _files
}
if [ "\${funcstack[1]}" = _xpose ]; then _xpose "$@"; else compdef _xpose xpose; fi
`,

  fish: (places) => `# fish completion for xpose: xpose completion fish | source
function __xpose_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${places.flatMap(({ path }) => (path === "" ? [] : [`'${path}'`])).join(" ")}
        set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
complete -c xpose -s h -l help -d 'display help for command'
${places.map(fishLines).join("\n")}
`,
};

function zshCandidates({ words, options }: Place): string {
  const flags = options.map((option) => ({ text: longOf(option), description: plain(option.description) }));
  const all = [...words, ...flags, { text: "--help", description: "display help for command" }];
  return all.map(({ text, description }) => `'${text}:${plain(description)}'`).join(" ");
}

function fishLines({ path, words, options }: Place): string {
  const here = `complete -c xpose -n '__xpose_at "${path}"'`;
  return [
    ...words.map(({ text, description }) => `${here} -f -a ${text} -d '${plain(description)}'`),
    ...options.map((option) => {
      const values = option.argChoices ? ` -x -a '${option.argChoices.join(" ")}'` : takesValue(option) ? " -r" : "";
      return `${here} -l ${longOf(option).replace(/^--/, "")}${values} -d '${plain(option.description)}'`;
    }),
  ].join("\n");
}
