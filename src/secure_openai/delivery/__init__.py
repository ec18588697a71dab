"""From a folder to a running application: package, copy a template, deploy, swap."""
