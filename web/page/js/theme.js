// Dark or light: as the system says, until it is switched.

const kName = 'quern.theme';
const kDark = matchMedia('(prefers-color-scheme: dark)');

const current = () => localStorage.getItem(kName) ?? (kDark.matches ? 'dark' : 'light');

function apply() {
  document.documentElement.style.colorScheme = localStorage.getItem(kName) ?? 'light dark';
  document.dispatchEvent(new Event('themechange'));
}

export function startTheme() {
  kDark.addEventListener('change', apply);
  apply();
}

export function switchTheme() {
  const other = current() === 'dark' ? 'light' : 'dark';
  if (other === (kDark.matches ? 'dark' : 'light')) localStorage.removeItem(kName);  // as the system says, again
  else localStorage.setItem(kName, other);
  apply();
}
