// What every page with a side does.
import "./dialogs.mjs";
import "./menus.mjs";
import "./preferences.mjs";
import "./side.mjs";
import "./toasts.mjs";
