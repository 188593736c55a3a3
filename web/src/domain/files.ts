/** The files of an assistant as a tree. */

export interface FileNode {
  name: string;
  path: string;
  /** Null for a file. */
  children: FileNode[] | null;
}

/** Folders first, both by name. */
export function treeOf(paths: string[]): FileNode[] {
  const root: FileNode = { name: "", path: "", children: [] };
  for (const path of paths) insert(root, path.split("/"), path);
  return sorted(root.children ?? []);
}

function insert(folder: FileNode, parts: string[], path: string): void {
  const [name = "", ...rest] = parts;
  if (!rest.length) {
    folder.children?.push({ name, path, children: null });
    return;
  }
  let child = folder.children?.find((node) => node.name === name && node.children);
  if (!child) {
    child = { name, path: folder.path ? `${folder.path}/${name}` : name, children: [] };
    folder.children?.push(child);
  }
  insert(child, rest, path);
}

function sorted(nodes: FileNode[]): FileNode[] {
  return nodes
    .map((node) => (node.children ? { ...node, children: sorted(node.children) } : node))
    .sort((a, b) => Number(a.children === null) - Number(b.children === null) || a.name.localeCompare(b.name));
}

/** What is wrong with the path of a new file, or null. */
export function pathProblem(path: string, taken: string[]): string | null {
  if (!path.trim()) return "Give it a path, such as data/stories.yml.";
  if (
    path.startsWith("/") ||
    path.endsWith("/") ||
    path.split("/").some((part) => !part || part === "." || part === "..")
  )
    return "Use a relative path without empty parts, such as data/stories.yml.";
  if (path.split("/").some((part) => part.startsWith("."))) return "No part of it may begin with a dot.";
  if (!/\.ya?ml$/.test(path)) return "End it with .yml or .yaml: that is what is trained.";
  if (!/^[A-Za-z0-9._/-]+$/.test(path)) return "Use letters, digits, dots, hyphens, underscores and slashes.";
  return taken.includes(path) ? "There is a file of this name." : null;
}
