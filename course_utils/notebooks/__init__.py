"""The labs' notebooks: build them from their sources, run them, show them as pages.

`layout` finds them, `cells` gives them a normal form, `pairing` keeps text and notebook in step, `strip` makes
the students' version, `build` puts these together; `kernel` executes a notebook, `run` a lab, `page` shows
it.
"""
