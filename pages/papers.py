"""The printed tables of both papers, recomputed; our own runs of their setups beside them."""

from covaudit.ui import state
from covaudit.ui.components import papers
from covaudit.ui.components.frame import title

store = state.enter_page()
title("Papers", "What the two papers print, what comes out when it is computed again, and our own runs beside it.")
papers.show_rules()
papers.show_claims()
papers.show_tables()
papers.show_ours(store)
