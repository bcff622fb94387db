#!/bin/sh
# What `make demo` runs: the whole way from a shop's address to sorted products, each command shown before its output.
#   docs/demo.sh path/to/bin folder [products [pages]]
set -eu
bin=$1
home=$2
products=${3:-600}   # of the web shop; most are sold in two languages and have two pages
limit=${4:-2000}     # pages of products that are scraped, at most
began=$(date +%s)

step() {
    printf '\n\033[1m%s\033[0m\n\n' "$1"
}

run() {
    printf '$ shelfwise %s\n\n' "$*"
    "$bin/shelfwise" "$@"
}

python() {
    printf '$ python %s\n\n' "$*"
    "$bin/python" "$@"
}

serve() {
    printf '$ shelfwise %s &\n\n' "$*"
    : > "$home/shop.log"  # it is read before the server may have begun
    "$bin/shelfwise" "$@" >> "$home/shop.log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        address=$(sed -n 's/^The shop is at \(http[^ ]*\) .*/\1/p' "$home/shop.log")
        if [ -n "$address" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
        sleep 0.1
    done
    sed 's/ (Ctrl-C ends it)//' "$home/shop.log"
    [ -n "$address" ] || { echo "The shop did not start."; exit 1; }
}

stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    server=
}

server=
address=
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p "$home"
rm -rf "$home/shop.parquet" "$home/shop.parquet.crawl" "$home/shop.parquet.crawl.lock" "$home/pictures"

step "1. A web shop on this machine to try things on; it stops when this demo ends"
serve demo --serve --products $products --output "$home"

step "2. From its address to a catalogue"
echo "No pause between requests (--delay 0) and a private address (--allow-private) are for a shop of one's own alone."
echo
run scrape "$address" --output "$home/shop.parquet" --limit $limit --delay 0 --allow-private

step "3. Its pictures"
run images "$home/shop.parquet" --output "$home/pictures" --rate 100 --allow-private
stop

step "4. What is in the catalogue, and what is wrong with it?"
run inspect "$home/shop.parquet" --images "$home/pictures" --html "$home/inspect.html"

step "5. Put a fifth aside to test on, and some as new arrivals, of which no category is known"
echo "Each shelf has an English and a German name. Products that are sold in both languages tell which are the same."
echo
python docs/demo.py prepare "$home"

step "6. Learn the categories, from text and pictures (the quickest learner on pictures; the default takes longer)"
printf '[catalogue]\nmapping = "%s"\n\n[pictures]\nlearner = "neighbours"\n' "$home/mapping.csv" > "$home/demo.toml"
printf '$ cat %s\n' "$home/demo.toml"
cat "$home/demo.toml"
echo
run train "$home/learn.parquet" --model "$home/model" --split split --images "$home/pictures" \
    --recipe "$home/demo.toml"

step "7. How good is that on the fifth it has not seen?"
run evaluate "$home/model" "$home/learn.parquet" --split split --images "$home/pictures" --report "$home/report"

step "8. Sort the new arrivals: accept only what is right 8 times in 10 (so few products support no more), and say why"
run predict "$home/model" "$home/new-arrivals.parquet" --images "$home/pictures" --output "$home/sorted.jsonl" \
    --promise 0.8 --explain

step "9. Which products lie on the wrong shelf?"
run audit "$home/shop.parquet" --output "$home/doubts.parquet" --images "$home/pictures" --recipe "$home/demo.toml"
echo
python docs/demo.py planted "$home"

step "What came out, in $(($(date +%s) - began)) seconds"
echo "Two of the new arrivals ($home/sorted.jsonl), as a program reads them:"
echo
head -n 2 "$home/sorted.jsonl" | cut -c 1-600
cat <<TEXT

Look at these in a browser:
  what was scraped          $home/inspect.html
  how good the model is     $home/report/report.html
  go through the doubts     $bin/shelfwise review $home/doubts.parquet --images $home/pictures
  ask the model yourself    $bin/shelfwise serve $home/model      then http://localhost:8000
What the model folder says of itself: $home/model/README.md

Now your own shop, at one request a second, or a catalogue that you have (Parquet, CSV, JSON lines, or a folder of them):

  $bin/shelfwise scrape  https://www.your-shop.example/ --output shop.parquet
  $bin/shelfwise images  shop.parquet --output pictures
  $bin/shelfwise train   shop.parquet --images pictures --model my-model
  $bin/shelfwise predict my-model new-products.csv --output sorted.csv
TEXT
