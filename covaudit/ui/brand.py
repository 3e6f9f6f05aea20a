"""The mark of CovAudit, drawn here: an icon by name would be fetched from a host of others."""

_TEAL = "#14808A"  # reads on both themes

_LUNGS = (
    "M11 5v7.5M13 5v7.5M11 8c-3.2.6-6 5.2-6 9.2 0 2 1.2 2.6 3 1.9 2-.8 3-2 3-4V8z"
    "M13 8c3.2.6 6 5.2 6 9.2 0 2-1.2 2.6-3 1.9-2-.8-3-2-3-4V8z"
)
_MARK = (
    f'<rect width="24" height="24" rx="5" fill="{_TEAL}"/>'
    f'<path d="{_LUNGS}" fill="#fff" fill-opacity=".3" stroke="#fff" stroke-width="1.2" stroke-linejoin="round"/>'
)

ICON = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="64" height="64">{_MARK}</svg>'
_NAME = f'<text x="32" y="18" font-family="sans-serif" font-size="18" font-weight="700" fill="{_TEAL}">CovAudit</text>'
LOGO = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 118 24" width="236" height="48">{_MARK}{_NAME}</svg>'
