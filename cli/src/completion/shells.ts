/** Shells that completion is there for. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** What the hidden command prints last when the shell itself has to list something. */
export const shellLists = { files: ":files", folders: ":folders" } as const;

/** How each is loaded at once; shown in the help. */
export const loading: Readonly<Record<Shell, string>> = {
  bash: "source <(sidestep completion bash)",
  zsh: "source <(sidestep completion zsh)",
  fish: "sidestep completion fish | source",
};

/**
 * A script that asks `sidestep __complete` at each Tab. The words so far are its arguments; it answers with a line for each word, the word's meaning
 * behind a tab, and with ":files" or ":folders" in place of what the shell lists itself.
 */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bash;
    case "zsh":
      return zsh;
    case "fish":
      return fish;
  }
}

/** Bash takes "--output=json" for three words; they are put together again, and only what is behind "=" is answered. */
const bash = `# bash completion of sidestep: ${loading.bash}
_sidestep() {
  local -a words=()
  local word line value before="" at
  COMPREPLY=()
  for ((at = 1; at <= COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    if [[ ("$word" == "=" || "\${COMP_WORDS[at-1]}" == "=") && \${#words[@]} -gt 0 ]]; then
      words[\${#words[@]}-1]+="$word"
      [[ $at -eq $COMP_CWORD ]] && before="\${words[\${#words[@]}-1]%%=*}="
    else
      words+=("$word")
    fi
  done
  local current="\${words[\${#words[@]}-1]#"$before"}"
  while IFS= read -r line; do
    value="\${line%%$'\\t'*}"
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$current") ;;
      :folders) compopt -o filenames 2>/dev/null; while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("\${value#"$before"}") ;;
    esac
  done < <("\${COMP_WORDS[0]}" __complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _sidestep sidestep
`;

const zsh = `#compdef sidestep
# zsh completion of sidestep: ${loading.zsh}
_sidestep() {
  local -a described
  local line value about
  for line in "\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      '') ;;
      :files) _files ;;
      :folders) _files -/ ;;
      *)
        value="\${line%%$'\\t'*}"
        about="\${line#*$'\\t'}"
        described+=("\${value//:/\\\\:}:$about") ;;
    esac
  done
  (( \${#described} )) && _describe sidestep described
  return 0
}
if [ "$funcstack[1]" = "_sidestep" ]; then _sidestep "$@"; else compdef _sidestep sidestep; fi
`;

const fish = `# fish completion of sidestep: ${loading.fish}
function __sidestep_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    switch $line
      case :files
        __fish_complete_path (commandline -ct)
      case :folders
        __fish_complete_directories (commandline -ct)
      case '*'
        echo $line
    end
  end
end
complete -c sidestep -f -a '(__sidestep_complete)'
`;
