// Categories, as the service names them: whatever is typed becomes one, and the field
// says which.

const LENGTH_MAX = 32;

/** Return the category that a text stands for: Food & drink is food-drink. */
export function slugOf(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, LENGTH_MAX)
    .replace(/-$/, "");
}

/** Have each field of a category say what becomes of what is typed into it. */
export function startCategories() {
  for (const input of document.querySelectorAll('input[name="category"]')) {
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.role = "status";
    hint.dataset.test = "category-hint";
    input.after(hint);
    const show = () => {
      const slug = slugOf(input.value);
      hint.textContent = slug === input.value.trim() ? "" : `Saved as ${slug || "no category"}`;
    };
    input.addEventListener("input", show);
    input.form.addEventListener("reset", () => { hint.textContent = ""; });
  }
}
