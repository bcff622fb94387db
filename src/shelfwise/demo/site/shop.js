"use strict";
// Builds the products of pages that come empty, loads more of a category, and shows lazy pictures.

function element(name, properties, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const scope = (kind, name) => ({
  itemscope: "",
  itemtype: `https://schema.org/${kind}`,
  ...(name ? { itemprop: name } : {}),
});

function crumbs(way) {
  const list = element("ol", { class: "way", ...scope("BreadcrumbList") });
  way.forEach(([name, link], place) => {
    const item = element("a", { itemprop: "item", href: link }, element("span", { itemprop: "name" }, name));
    const position = element("meta", { itemprop: "position", content: place + 1 });
    list.append(element("li", scope("ListItem", "itemListElement"), item, position));
  });
  return list;
}

function article(thing) {
  const made = element("article", scope("Product"));
  made.append(element("h1", { itemprop: "name" }, thing.label));
  for (const shot of thing.shots) made.append(element("img", { itemprop: "image", src: shot, alt: "" }));
  if (thing.maker) {
    made.append(element("p", scope("Brand", "brand"), element("b", { itemprop: "name" }, thing.maker)));
  }
  if (thing.stars) {
    const [stars, count] = thing.stars;
    made.append(
      element(
        "p",
        scope("AggregateRating", "aggregateRating"),
        element("span", { itemprop: "ratingValue" }, String(stars)),
        " / 5 (",
        element("span", { itemprop: "reviewCount" }, String(count)),
        ")",
      ),
    );
  }
  made.append(
    element(
      "p",
      { class: "price", ...scope("Offer", "offers") },
      element("span", { itemprop: "price", content: thing.cost }, thing.shownCost),
      element("meta", { itemprop: "priceCurrency", content: thing.money }),
    ),
    element("p", { class: "sku" }, "Art. ", element("span", { itemprop: "sku" }, thing.no)),
    element("div", { class: "text", itemprop: "description" }, thing.text),
  );
  const table = element("table", {});
  for (const [name, value] of thing.facts) {
    const row = element("tr", scope("PropertyValue", "additionalProperty"));
    row.append(element("th", { itemprop: "name" }, name), element("td", { itemprop: "value" }, value));
    table.append(row);
  }
  made.append(table);
  if (thing.whom) {
    const whom = element("span", { itemprop: "audienceType" }, thing.whom);
    made.append(element("p", scope("PeopleAudience", "audience"), whom));
  }
  return made;
}

function build(place, thing) {
  document.title = thing.label;
  place.replaceChildren(crumbs(thing.way), article(thing));
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

const place = document.getElementById("product");
if (place && window.shopState) build(place, window.shopState);
else if (place) fetched(place.dataset.product).then((thing) => build(place, thing));

const button = document.getElementById("more");
if (button) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    const list = document.getElementById("list");
    const here = `/api/more?shelf=${location.pathname}&start=${list.children.length}`;
    const more = await fetched(button.dataset.next ?? here);
    for (const { link, label, cost, shot } of more.items) {
      const picture = element("img", { src: shot, alt: "" });
      list.append(element("li", {}, element("a", { href: link }, picture, label), element("span", {}, cost)));
    }
    if (!more.next) button.remove();
    else if (button.dataset.next) button.dataset.next = more.next;
    button.disabled = false;
  });
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    target.src = target.dataset.src;
    seen.unobserve(target);
  }
});
for (const picture of document.querySelectorAll("img[data-src]")) seen.observe(picture);
