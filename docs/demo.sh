#!/bin/sh
# What `make demo` runs: the main job from a raw catalogue to explained predictions, each command shown before its output.
#   docs/demo.sh path/to/shelfwise folder
set -eu
shelfwise=$1
shop=$2

step() {
    printf '\n\033[1m%s\033[0m\n\n' "$1"
}

run() {
    printf '$ shelfwise %s\n\n' "$*"
    "$shelfwise" "$@"
}

step "1. A shop to try things on: 3,000 products, some of them on the wrong shelf"
run demo --output "$shop"

step "2. What is in the catalogue and its pictures, and what is wrong with it?"
run inspect "$shop/catalogue.parquet" --images "$shop/images"

step "3. Learn its categories from four fifths of it (no settings: the columns are found)"
run train "$shop/catalogue.parquet" --model "$shop/model" --split split

step "4. How good is that on the fifth it has not seen?"
run evaluate "$shop/model" "$shop/catalogue.parquet" --split split --report "$shop/report"

step "5. Sort the new arrivals: accept only what is right 95 times in 100, and say why"
run predict "$shop/model" "$shop/new-arrivals.csv" --output "$shop/sorted.jsonl" --promise 0.95 --explain

step "6. The same with pictures beside the words (the quickest learner on them; the default takes some minutes)"
printf '[pictures]\nlearner = "neighbours"\n' | tee "$shop/quick.toml"
echo
run train "$shop/catalogue.parquet" --model "$shop/model-with-pictures" --images "$shop/images" --split split \
    --recipe "$shop/quick.toml"
run evaluate "$shop/model-with-pictures" "$shop/catalogue.parquet" --images "$shop/images" --split split

step "7. Which products lie on the wrong shelf?"
run audit "$shop/catalogue.parquet" --output "$shop/doubts.parquet"

step "What came out"
echo "Three of the new arrivals ($shop/sorted.jsonl), as a program reads them:"
echo
head -n 3 "$shop/sorted.jsonl" | cut -c 1-600
cat <<TEXT

Look at the report in a browser:      $shop/report/report.html
What the model folder says of itself:  $shop/model/README.md
The wrong shelves that were planted:   $shop/planted.csv
Go through the doubts in a browser:    .venv/bin/shelfwise review $shop/doubts.parquet --images $shop/images

Now your own catalogue (Parquet, CSV, JSON lines, or a folder of them):

  .venv/bin/shelfwise inspect your-products.csv
  .venv/bin/shelfwise train   your-products.csv --model my-model
  .venv/bin/shelfwise predict my-model new-products.csv --output sorted.csv
TEXT
