#!/usr/bin/env bash
# Gathers what decides the routes of Azure networks into one folder. Every command lists or shows;
# none changes anything. Works with bash 3.2, which macOS has, and needs nothing but the Azure CLI.
set -u
umask 077

usage() {
    cat <<'EOF'
Usage: collect.sh [-s SUBSCRIPTION]... [-o FOLDER] [--effective-routes]

Gathers, with the Azure CLI and read-only, what decides the routes of Azure
networks into one folder, ready for `nexthop --routes FOLDER`.

  -s, --subscription NAME  a subscription, by name or identifier; may be repeated
                           (all that the account can read, if none is given)
  -o, --output FOLDER      where to write; new, empty, or with a nexthop.toml alone
                           (default: nexthop-snapshot-DATE-TIME)
      --effective-routes   also the effective routes of the NICs of running VMs,
                           which takes some ten seconds for each
  -h, --help               this text

Sign in with `az login` first. Needed are the extensions resource-graph and
virtual-wan (`az extension add --name ...`), and the role Reader. Three kinds of
data need one action more than Reader has:
  learned routes    Microsoft.Network/virtualNetworkGateways/getLearnedRoutes/action
                    Microsoft.Network/virtualHubs/bgpConnections/learnedRoutes/action
  backend health    Microsoft.Network/applicationGateways/backendhealth/action
  effective routes  Microsoft.Network/networkInterfaces/effectiveRouteTable/action

What cannot be read is listed at the end.
Exit codes: 0 all was read, 1 something was not, 2 wrong usage.
EOF
}

# What Resource Graph holds whole. It lacks the instance NICs of scale sets, the state of
# connections, the children of hubs, and whatever is an answer rather than a resource.
graph_query="resources
| where type in~ (
    'microsoft.network/virtualnetworks', 'microsoft.network/routetables',
    'microsoft.network/networkinterfaces', 'microsoft.network/privateendpoints',
    'microsoft.network/virtualnetworkgateways', 'microsoft.network/localnetworkgateways',
    'microsoft.network/connections', 'microsoft.network/virtualhubs',
    'microsoft.network/vpnsites', 'microsoft.network/vpngateways',
    'microsoft.network/p2svpngateways', 'microsoft.network/azurefirewalls',
    'microsoft.network/firewallpolicies', 'microsoft.network/applicationgateways',
    'microsoft.network/networkwatchers/flowlogs',
    'microsoft.network/loadbalancers', 'microsoft.network/publicipaddresses',
    'microsoft.web/sites', 'microsoft.web/sites/slots')
| order by id asc"

main() {
    read_arguments "$@"
    command -v az >/dev/null 2>&1 || refuse 'the Azure CLI (az) is not installed'
    prepare_folder
    work=$(mktemp -d) || exit 1
    trap 'rm -rf "$work"' EXIT
    : >"$work/failed"
    # A missing extension is an error that is told, not a question that nobody answers.
    export AZURE_EXTENSION_USE_DYNAMIC_INSTALL=no

    find_subscriptions
    if [ "${#subscriptions[@]}" -gt 0 ]; then
        collect_graph
        local subscription
        for subscription in "${subscriptions[@]}"; do
            collect_subscription "$subscription"
        done
        collect_service_tags "${subscriptions[0]}"
    elif [ ! -s "$work/failed" ]; then
        echo 'no subscription can be read; sign in with: az login' >>"$work/failed"
    fi
    tell_failures
}

read_arguments() {
    wanted=()
    folder=''
    with_effective_routes=false
    while [ "$#" -gt 0 ]; do
        case "$1" in
            -s | --subscription)
                [ "$#" -gt 1 ] || refuse "$1 needs a value"
                wanted+=("$2")
                shift
                ;;
            -o | --output)
                [ "$#" -gt 1 ] || refuse "$1 needs a value"
                folder=$2
                shift
                ;;
            --effective-routes) with_effective_routes=true ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) refuse "unknown argument: $1" ;;
        esac
        shift
    done
    [ -n "$folder" ] || folder="nexthop-snapshot-$(date +%Y%m%d-%H%M%S)"
}

refuse() {
    printf 'collect.sh: %s\nTry: collect.sh --help\n' "$1" >&2
    exit 2
}

# Files of an earlier run would be read as if they were of this one.
prepare_folder() {
    mkdir -p -- "$folder" || exit 2
    local found
    found=$(cd -- "$folder" && find . ! -name . ! -name nexthop.toml -print) || exit 2
    [ -z "$found" ] || refuse "the folder is not empty: $folder"
    folder=$(cd -- "$folder" && pwd) || exit 2
}

find_subscriptions() {
    subscriptions=()
    local name id
    if [ "${#wanted[@]}" -eq 0 ]; then
        while IFS= read -r id; do
            [ -z "$id" ] || subscriptions+=("$id")
        done <<<"$(list 'the subscriptions' account list --query "[?state=='Enabled'].id")"
        return
    fi
    for name in "${wanted[@]}"; do
        id=$(list "the subscription $name" account show --subscription "$name" --query id)
        [ -z "$id" ] || subscriptions+=("$id")
    done
}

collect_graph() {
    local page=1 file token='' previous arguments
    while :; do
        tell "resources, page $page"
        arguments=(--graph-query "$graph_query" --first 1000 --subscriptions "${subscriptions[@]}")
        [ -z "$token" ] || arguments+=(--skip-token "$token")
        file=$(printf 'resources-%04d.json' "$page")
        save 'the resources (Resource Graph)' "$file" graph query "${arguments[@]}" || return 0
        previous=$token
        # Of the answer itself, hence the indentation: a tag may have any name.
        token=$(sed -n 's/^  "skip_token": "\([^"]*\)".*/\1/p' "$folder/$file" | tail -n 1)
        if [ -z "$token" ] || [ "$token" = "$previous" ]; then
            return 0
        fi
        page=$((page + 1))
    done
}

collect_subscription() {
    local subscription=$1
    tell "subscription $subscription"
    each_resource collect_connection "$subscription" Microsoft.Network/connections
    each_resource collect_learned_routes "$subscription" Microsoft.Network/virtualNetworkGateways
    each_resource collect_backend_health "$subscription" Microsoft.Network/applicationGateways
    each_resource collect_hub "$subscription" Microsoft.Network/virtualHubs
    each_resource collect_site "$subscription" Microsoft.Web/sites
    # Instances of flexible sets have NICs of their own, which Resource Graph holds.
    each_line collect_scale_set "$(list "the scale sets of $subscription" vmss list \
        --subscription "$subscription" --query "[?orchestrationMode!='Flexible'].id")"
    if [ "$with_effective_routes" = true ]; then
        each_line collect_effective_routes "$(list "the running VMs of $subscription" vm list \
            --show-details --subscription "$subscription" \
            --query "[?powerState=='VM running'].networkProfile.networkInterfaces[].id")"
    fi
}

collect_connection() {
    save "the connection $1" "$(file_of "$1" connection)" network vpn-connection show --ids "$1"
}

collect_learned_routes() {
    save_owned "the routes that $1 learned" "$(file_of "$1" learned-routes)" "$1" \
        network vnet-gateway list-learned-routes --ids "$1"
}

collect_backend_health() {
    save "the backend health of $1" "$(file_of "$1" backend-health)" \
        network application-gateway show-backend-health --ids "$1"
}

# A Route Server is a hub without a virtual WAN.
collect_hub() {
    local id=$1 place wan
    place=(--resource-group "$(part resourceGroups "$id")" --subscription "$(part subscriptions "$id")")
    wan=$(list "the hub $id" resource show --ids "$id" --query "properties.virtualWan.id || 'none'")
    case "$wan" in
        '') ;;
        none) collect_route_server "$id" ;;
        *)
            save "the connections of $id" "$(file_of "$id" connections)" \
                network vhub connection list "${place[@]}" --vhub-name "${id##*/}"
            save "the route tables of $id" "$(file_of "$id" route-tables)" \
                network vhub route-table list "${place[@]}" --vhub-name "${id##*/}"
            save "the routing intent of $id" "$(file_of "$id" routing-intent)" \
                network vhub routing-intent list "${place[@]}" --vhub "${id##*/}"
            ;;
    esac
}

collect_route_server() {
    local id=$1 place peer
    place=(--resource-group "$(part resourceGroups "$id")" --subscription "$(part subscriptions "$id")"
        --routeserver "${id##*/}")
    while IFS= read -r peer; do
        [ -z "$peer" ] || save_owned "the routes that $id learned from $peer" \
            "$(file_of "$id" "$peer.learned-routes")" "$id" \
            network routeserver peering list-learned-routes "${place[@]}" --name "$peer"
    done <<<"$(list "the peers of $id" network routeserver peering list "${place[@]}" \
        --query '[].name')"
}

collect_site() {
    save "the site $1" "$(file_of "$1" site)" webapp show --ids "$1"
}

collect_scale_set() {
    save "the NICs of $1" "$(file_of "$1" nics)" vmss nic list --vmss-name "${1##*/}" \
        --resource-group "$(part resourceGroups "$1")" --subscription "$(part subscriptions "$1")"
}

# The name of the file says whose routes they are.
collect_effective_routes() {
    local name=${1##*/} file
    file="effective-routes/$name.json"
    if [ -e "$folder/$file" ]; then
        file="effective-routes/$(part subscriptions "$1") $(part resourceGroups "$1") $name.json"
        tell "two NICs are named $name; say who uses the table of $1 in nexthop.toml"
    fi
    save "the effective routes of $1" "$file" network nic show-effective-route-table --ids "$1"
}

# One answer holds the tags of every region.
collect_service_tags() {
    local location
    location=$(list 'the regions' account list-locations --query '[0].name')
    [ -z "$location" ] || save 'the service tags' service-tags.json \
        network list-service-tags --location "$location" --subscription "$1"
}

# each_resource FUNCTION SUBSCRIPTION TYPE: calls the function with each identifier.
each_resource() {
    each_line "$1" "$(list "the resources $3 of $2" resource list \
        --subscription "$2" --resource-type "$3" --query '[].id')"
}

# each_line FUNCTION TEXT: calls the function with each line of the text.
each_line() {
    local line
    while IFS= read -r line; do
        [ -z "$line" ] || "$1" "$line"
    done <<<"$2"
}

# list WHAT COMMAND...: prints what az answers, a value a line.
list() {
    local what=$1
    shift
    if quiet_az "$@" --output tsv >"$work/list" 2>"$work/complaint"; then
        tr -d '\r' <"$work/list"
    else
        note_failure "$what"
    fi
}

# save WHAT FILE COMMAND...: keeps what az answers, if it does.
save() {
    local what=$1 file=$2
    shift 2
    if quiet_az "$@" --output json >"$work/answer" 2>"$work/complaint"; then
        keep "$file"
    else
        note_failure "$what"
        return 1
    fi
}

# save_owned WHAT FILE ID COMMAND...: the same for rows that do not say whose they are.
save_owned() {
    local what=$1 file=$2 owner=$3
    shift 3
    if quiet_az "$@" --output json >"$work/rows" 2>"$work/complaint"; then
        owner=${owner//\\/\\\\}
        printf '{"gateway": "%s", "value":\n' "${owner//\"/\\\"}" >"$work/answer"
        cat "$work/rows" >>"$work/answer"
        printf '}\n' >>"$work/answer"
        keep "$file"
    else
        note_failure "$what"
        return 1
    fi
}

keep() {
    mkdir -p -- "$folder/$(dirname -- "$1")" && mv -- "$work/answer" "$folder/$1"
}

# Keeps its input from az, which would take the lines of the loop around it.
quiet_az() {
    az "$@" --only-show-errors </dev/null
}

# file_of ID KIND: prints the file for what belongs to a resource.
file_of() {
    printf '%s/%s/%s.%s.json' "$(part subscriptions "$1")" "$(part resourceGroups "$1")" "${1##*/}" "$2"
}

# part KEY ID: prints the part of an identifier after a key, whatever its case.
part() {
    shopt -s nocasematch
    if [[ $2 =~ /"$1"/([^/]+) ]]; then
        printf '%s' "${BASH_REMATCH[1]}"
    else
        printf 'unknown'
    fi
    shopt -u nocasematch
}

tell() {
    printf '%s\n' "$1" >&2
}

note_failure() {
    local reason
    reason=$(grep -v '^[[:space:]]*$' "$work/complaint" | head -n 1 | tr -d '\r')
    printf '%s: %s\n' "$1" "${reason:-az failed without a word}" >>"$work/failed"
}

tell_failures() {
    if [ -s "$work/failed" ]; then
        printf '\nNot everything could be read:\n' >&2
        sed 's/^/  /' "$work/failed" >&2
        printf 'The rest is in %s\n' "$folder" >&2
        exit 1
    fi
    printf '\nAll is in %s\n' "$folder" >&2
}

main "$@"
