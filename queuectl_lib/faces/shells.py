"""The scripts by which bash, zsh and fish ask queuectl what may come next.

Each runs the program that is being typed, so that they fit whatever version that
is: `PROGRAM complete -- WORDS` prints a candidate a line, with what it is behind a
tab. Whatever goes wrong there is silent: nobody wants a message while typing.
"""

BASH = r"""# Completion of queuectl in bash: put it into
#   ~/.local/share/bash-completion/completions/queuectl
# or have it read by: source <(queuectl completion bash)
_queuectl() {
    local line=${COMP_LINE:0:COMP_POINT} found typed=
    # Of --state=pend bash completes only what stands behind the '='.
    local last=${line##*[[:space:]]}
    [[ $last == *"$2" ]] && typed=${last%"$2"}
    COMPREPLY=()
    compopt -o nosort 2>/dev/null
    while IFS=$'\t' read -r found _; do
        case $found in
            :files) compopt -o default ;;
            :directories) compopt -o dirnames ;;
            :programs) while read -r found; do COMPREPLY+=("$found"); done < <(compgen -c -- "$2") ;;
            *) COMPREPLY+=("${found#"$typed"}") ;;
        esac
    done < <("${1/#\~\//$HOME/}" complete --line -- "$line" 2>/dev/null)
} 2>/dev/null
complete -F _queuectl NAMES
"""

ZSH = r"""#compdef NAMES
# Completion of queuectl in zsh: put it as _queuectl into a directory of $fpath,
# or have it read, behind compinit, by: source <(queuectl completion zsh)
_queuectl() {
    local found what
    local -a words_found typed settings
    # A store named in front of the command counts like one that is exported.
    settings=(${(Q)${(M)${(z)LBUFFER}:#QUEUECTL_STORE=*}})
    typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
    while IFS=$'\t' read -r found what; do
        case $found in
            (:files) compset -P '--*='; _files; return ;;
            (:directories) compset -P '--*='; _files -/; return ;;
            (:programs) _command_names -e; return ;;
            (*) words_found+=("$found:$what") ;;
        esac
    done < <(env $settings ${(Q)~words[1]} complete -- "${(@)typed}" 2>/dev/null)
    _describe -V queuectl words_found
}
if [[ $funcstack[1] == _queuectl ]]; then
    _queuectl "$@"
else
    compdef _queuectl NAMES
fi
"""

FISH = r"""# Completion of queuectl in fish: put it into
#   ~/.config/fish/completions/queuectl.fish
# or have it read by: queuectl completion fish | source
function __queuectl_complete
    set -l typed (commandline -opc)
    set -l last (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- "$typed[1]")
    set -e typed[1]
    for found in ($program complete -- $typed "$last" 2>/dev/null)
        switch $found
            case ':files*'
                __fish_complete_path "$last"
            case ':directories*'
                set -l option (string match -r -- '^--[^=]*=' "$last")
                for path in (__fish_complete_directories (string replace -r -- '^--[^=]*=' '' "$last"))
                    echo "$option$path"
                end
            case ':programs*'
                complete -C "$last"
            case '*'
                echo $found
        end
    end
end
for name in NAMES
    complete -c $name -f -k -a '(__queuectl_complete)'
end
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def script(shell, names):
    """The script for a shell, for a program of these names."""
    return SCRIPTS[shell].replace("NAMES", " ".join(names))
