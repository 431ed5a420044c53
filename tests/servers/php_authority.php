<?php
/* wsBlokIzmenjava by a stranger: the SoapServer of PHP, which is made from a WSDL alone.
 *
 * Run by PHP's own web server. The path of a request names the WSDL in the folder WSDLS, and the query what an answer
 * is to be put into: /asmx_xml?BlokPodOddajResult=any. What PHP made of the request goes into FOLDER/received.json.
 */
ini_set('soap.wsdl_cache_enabled', '0');
ini_set('display_errors', '0');

const ANSWER = '<BlokOdgovor xmlns=""><Ident iErr="0" maticnaPonudnika="5860571000" '
    . 'datumPriprave="2026-11-17T18:01:00" iWrn="0" datumPodatkov="2026-11-17"/></BlokOdgovor>';

class Authority
{
    private $header = null;

    public function Ident($ident)
    {
        $this->header = $ident;
    }

    public function BlokPodOddaj(...$arguments)
    {
        $received = ['arguments' => $arguments, 'header' => $this->header];
        file_put_contents(getenv('FOLDER') . '/received.json', json_encode($received));
        foreach ($_GET as $element => $form) {
            return [$element => $form === 'any' ? ['any' => ANSWER] : ANSWER];
        }
        return ANSWER;
    }
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$is_soap_12 = str_starts_with($_SERVER['CONTENT_TYPE'] ?? '', 'application/soap+xml');
$options = ['soap_version' => $is_soap_12 ? SOAP_1_2 : SOAP_1_1];
$server = new SoapServer(getenv('WSDLS') . basename($path) . '.wsdl', $options);
$server->setObject(new Authority());
$server->handle();
