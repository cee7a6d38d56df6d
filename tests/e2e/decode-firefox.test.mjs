/** In Firefox too, whatever an `<img>` shows can be captioned. */
import { Builder } from 'selenium-webdriver';
import firefox from 'selenium-webdriver/firefox.js';
import { decodingTests } from './decode-shown.mjs';
import { program } from './programs.mjs';

decodingTests('Firefox', async () => {
  const driver = await new Builder()
    .forBrowser('firefox')
    .setFirefoxOptions(new firefox.Options().setBinary(program('SOLI_FIREFOX', 'firefox-esr', 'firefox')).addArguments('-headless'))
    .setFirefoxService(new firefox.ServiceBuilder(program('SOLI_GECKODRIVER', 'geckodriver')))
    .build();
  return { driver, close: () => driver.quit() };
});
