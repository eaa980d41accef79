# Completion of decoy for bash, by the functions of bash-completion. What may stand where is decoy's own word.
_decoy() {
    local cur prev words cword line part files=
    _get_comp_words_by_ref -n =: cur prev words cword || return
    [[ $cur == --*=* && $COMP_WORDBREAKS != *=* ]] && part=${cur%%=*}=
    while IFS= read -r line; do
        case $line in
        :files) files=yes ;;
        *) COMPREPLY+=("$part${line%%$'\t'*}") ;;
        esac
    done < <("${words[0]}" complete "${words[@]:1:cword}" 2>/dev/null)
    if [ -n "$files" ]; then
        [[ $cur == --*=* ]] && cur=${cur#*=}
        _filedir
    fi
} && complete -F _decoy decoy
