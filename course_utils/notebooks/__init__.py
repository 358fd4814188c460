"""The labs' notebooks: build them from their sources, run them, show them as pages.

`layout` finds them, `cells` gives them a normal form, `pairing` keeps text and notebook in step, `strip`
makes the students' version, and `build` combines these; `kernel` executes a notebook, `run` a lab, and `page`
shows it.
"""

import sys

# nbformat imports jsonschema, which would build a grammar of international addresses: two seconds for what no
# notebook has. Jsonschema does without it where it cannot be imported.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
