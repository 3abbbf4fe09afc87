# Bash completion of kymo. Commands, options and choices come from the help of kymo, segments from
# kymo ls: this file needs no change when an option is added.

_kymo_commands()
{
    kymo --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)   *[a-z].*/\1/p'
}

# The long options of a command; options with an argument end with =.
_kymo_options()
{
    kymo "$1" --help 2>/dev/null | grep -o -e '--[a-z][a-z-]*=\{0,1\}' | sort -u
}

# The choices of an option that the help prints as --option=one|other.
_kymo_choices()
{
    kymo "$1" --help 2>/dev/null |
        sed -n "s/.*$2=\([a-z]*|[a-z|]*\).*/\1/p" | tr '|' ' '
}

_kymo()
{
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command option
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "$(_kymo_commands) --help --version" -- "$word"))
        return
    fi
    command=${COMP_WORDS[1]}
    # Bash splits --option=value at the equals sign.
    option=
    if [ "$word" = = ]; then
        option=$previous word=
    elif [ "$previous" = = ]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $option in
    --*) COMPREPLY=($(compgen -W "$(_kymo_choices "$command" "$option")" -- "$word")) ;;
    *)
        case $word in
        -*)
            COMPREPLY=($(compgen -W "$(_kymo_options "$command")" -- "$word"))
            [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
            ;;
        *) COMPREPLY=($(compgen -W "$(kymo ls 2>/dev/null)" -- "$word")) ;;
        esac
        ;;
    esac
}

complete -F _kymo kymo
