/** What shells need to complete `cfsctl`: they ask the program itself, by the hidden verb `__complete`. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * The program answers with lines: how the shell goes on (`space`, `nospace`, `files`, `directories`), the word as it
 * understood it, and the candidates, each with a description after a tab.
 */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

const BASH = String.raw`# bash completion for cfsctl: source <(cfsctl completion bash)
_cfsctl() {
    local program=\${COMP_WORDS[0]} directive word prefix= value i
    local -a lines
    [[ $program == '~'* ]] && program=$HOME\${program:1}
    COMPREPLY=()
    mapfile -t lines < <("$program" __complete --line "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    ((\${#lines[@]} >= 2)) || return 0
    directive=\${lines[0]} word=\${lines[1]}
    case $directive in
        files | directories)
            compopt -o filenames 2>/dev/null
            local kind=-f
            [[ $directive == directories ]] && kind=-d
            mapfile -t COMPREPLY < <(compgen "$kind" -- "\${COMP_WORDS[COMP_CWORD]}")
            return 0
            ;;
        nospace) compopt -o nospace 2>/dev/null ;;
    esac
    # For bash a word begins after the last of these characters, and what is before it is not to be repeated.
    for ((i = \${#word}; i > 0; i--)); do
        if [[ $COMP_WORDBREAKS == *"\${word:i-1:1}"* ]]; then
            prefix=\${word:0:i}
            break
        fi
    done
    for value in "\${lines[@]:2}"; do
        value=\${value%%$'\t'*}
        COMPREPLY+=("$(printf %q "\${value#"$prefix"}")")
    done
}
complete -F _cfsctl cfsctl
`.replaceAll('\\${', '${');

const ZSH = String.raw`#compdef cfsctl
# zsh completion for cfsctl: source <(cfsctl completion zsh), or as _cfsctl in a directory of $fpath
_cfsctl() {
    local -a lines described
    local line
    lines=("\${(@f)$("\${(Q)words[1]}" __complete -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
    case $lines[1] in
        files) _files; return ;;
        directories) _files -/; return ;;
    esac
    for line in "\${(@)lines[3,-1]}"; do
        if [[ $line == *$'\t'* ]]; then
            described+=("\${\${line%%$'\t'*}//:/\\:}:\${line#*$'\t'}")
        else
            described+=("\${line//:/\\:}")
        fi
    done
    (( $#described )) || return 1
    if [[ $lines[1] == nospace ]]; then
        _describe -t cfsctl cfsctl described -S ''
    else
        _describe -t cfsctl cfsctl described
    fi
}
if [[ $funcstack[1] == _cfsctl ]]; then
    _cfsctl "$@"
else
    compdef _cfsctl cfsctl
fi
`.replaceAll('\\${', '${');

const FISH = String.raw`# fish completion for cfsctl: cfsctl completion fish | source
function __cfsctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
    switch "$lines[1]"
        case files
            __fish_complete_path "$current"
        case directories
            __fish_complete_directories "$current"
        case '*'
            test (count $lines) -gt 2; and printf '%s\n' $lines[3..-1]
    end
end
complete -c cfsctl -f -a '(__cfsctl_complete)'
`;

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
