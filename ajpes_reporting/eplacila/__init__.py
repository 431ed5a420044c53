"""The client of UJP e-plačila, the web payments of Slovenian public bodies.

Sections in the comments of this package are those of the document "UJP e-plačila, tehnična
navodila"; where it contradicts itself, docs/eplacila.md says how it is read.
"""
