# Completion for bash(1). khelper itself says what may come next; where it says nothing, bash completes files.
_khelper() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() piece bare i
    # bash also splits words at `=` and `:`. Pieces without a blank between them are one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        bare=${rest#"${rest%%[![:blank:]]*}"}
        piece=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && piece=$bare
        if [[ $bare == "$rest" && ${#words[@]} -gt 0 ]]; then
            words[-1]+=$piece
        else
            words+=("$piece")
        fi
        rest=${bare#"$piece"}
    done
    mapfile -t COMPREPLY < <("$1" __complete "${words[@]:1}" 2>/dev/null)
    COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
    # bash replaces only what comes after the last `=` or `:`.
    local word=${words[-1]}
    COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[=:]}"}"}")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o bashdefault -o default -F _khelper khelper
